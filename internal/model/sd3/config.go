package sd3

import (
	"encoding/json"
	"fmt"
	"slices"

	"taca/internal/model"
	"taca/internal/model/nn"
)

// Config is the transformer's config.json. Keys it lacks have the values of
// diffusers' class defaults.
type Config struct {
	Patch        int    `json:"patch_size"`  // latent pixels per token, along each side
	Channels     int    `json:"in_channels"` // of a latent pixel
	Blocks       int    `json:"num_layers"`
	HeadSize     int    `json:"attention_head_dim"`
	Heads        int    `json:"num_attention_heads"`
	TextWidth    int    `json:"joint_attention_dim"`    // columns of Conditioning.Tokens
	CaptionWidth int    `json:"caption_projection_dim"` // the same as Width
	PooledWidth  int    `json:"pooled_projection_dim"`  // columns of Conditioning.Pooled
	MostPatches  int    `json:"pos_embed_max_size"`     // along each side of an image
	DualBlocks   []int  `json:"dual_attention_layers"`  // blocks with a second, visual attention
	QKNorm       string `json:"qk_norm"`                // "rms_norm", or empty for none
}

// Width is the number of columns of a token inside the transformer.
func (c Config) Width() int { return c.Heads * c.HeadSize }

// Geometry relates images to the transformer's tokens.
func (c Config) Geometry() model.Geometry {
	return model.Geometry{Downscale: 8, Patch: c.Patch, Channels: c.Channels}
}

// stream is the shape of both streams of block i.
func (c Config) stream() nn.StreamShape {
	return nn.StreamShape{Width: c.Width(), HeadSize: c.HeadSize, Branches: 2, Normed: c.QKNorm != ""}
}

const className = "SD3Transformer2DModel"

// UnmarshalJSON reads a config.json and refuses what this package is not a
// model of.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	usual := 16
	file := struct {
		plain
		Class       string `json:"_class_name"`
		OutChannels *int   `json:"out_channels"`
	}{
		plain: plain{
			Patch: 2, Channels: 16, Blocks: 18, HeadSize: 64, Heads: 18,
			TextWidth: 4096, CaptionWidth: 1152, PooledWidth: 2048, MostPatches: 96,
		},
		Class:       className,
		OutChannels: &usual,
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("sd3 transformer config: %w", err)
	}
	*c = Config(file.plain)
	switch {
	case file.Class != className:
		return fmt.Errorf("sd3 transformer config: _class_name is %q, want %q", file.Class, className)
	case file.OutChannels != nil && *file.OutChannels != c.Channels:
		return fmt.Errorf("sd3 transformer config: %d in_channels but %d out_channels: "+
			"variants that read more than latents are not supported", c.Channels, *file.OutChannels)
	}
	return c.check()
}

// check refuses sizes that no transformer can have.
func (c Config) check() error {
	if err := nn.CheckSizes(
		nn.Size{Key: "patch_size", Value: c.Patch},
		nn.Size{Key: "in_channels", Value: c.Channels},
		nn.Size{Key: "in_channels × patch_size²", Value: c.Geometry().PatchColumns()},
		nn.Size{Key: "attention_head_dim", Value: c.HeadSize},
		nn.Size{Key: "num_attention_heads", Value: c.Heads},
		nn.Size{Key: "num_attention_heads × attention_head_dim", Value: c.Width()},
		nn.Size{Key: "joint_attention_dim", Value: c.TextWidth},
		nn.Size{Key: "pooled_projection_dim", Value: c.PooledWidth},
		nn.Size{Key: "pos_embed_max_size", Value: c.MostPatches},
		nn.Size{Key: "num_layers", Value: c.Blocks, Most: nn.MostLayers},
	); err != nil {
		return fmt.Errorf("sd3 transformer config: %w", err)
	}
	switch {
	case c.HeadSize%2 != 0:
		return fmt.Errorf("sd3 transformer config: attention_head_dim %d is odd", c.HeadSize)
	case c.CaptionWidth != c.Width():
		return fmt.Errorf("sd3 transformer config: caption_projection_dim is %d, but %d heads of %d are %d columns",
			c.CaptionWidth, c.Heads, c.HeadSize, c.Width())
	case c.QKNorm != "" && c.QKNorm != "rms_norm":
		return fmt.Errorf("sd3 transformer config: qk_norm %q is not supported, want null or \"rms_norm\"", c.QKNorm)
	case slices.ContainsFunc(c.DualBlocks, func(i int) bool { return i < 0 || i >= c.Blocks }):
		return fmt.Errorf("sd3 transformer config: dual_attention_layers %v, but there are %d layers", c.DualBlocks, c.Blocks)
	}
	return nil
}
