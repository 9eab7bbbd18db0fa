package flux

import (
	"encoding/json"
	"fmt"

	"taca/internal/model"
	"taca/internal/model/nn"
)

// Config is the transformer's config.json. Keys it lacks have the values of
// diffusers' class defaults, which are FLUX.1's.
type Config struct {
	InChannels     int   `json:"in_channels"` // values of a token: channels of a latent pixel × 2 × 2
	DoubleBlocks   int   `json:"num_layers"`
	SingleBlocks   int   `json:"num_single_layers"`
	HeadSize       int   `json:"attention_head_dim"`
	Heads          int   `json:"num_attention_heads"`
	TextWidth      int   `json:"joint_attention_dim"`   // columns of Conditioning.Tokens
	PooledWidth    int   `json:"pooled_projection_dim"` // columns of Conditioning.Pooled
	GuidanceEmbeds bool  `json:"guidance_embeds"`       // whether Step.Guidance is an input: of dev yes, of schnell no
	RopeAxes       []int `json:"axes_dims_rope"`        // columns of a head turned by a token's index, y and x
}

// Width is the number of columns of a token inside the transformer.
func (c Config) Width() int { return c.Heads * c.HeadSize }

// patch is latent pixels per token along each side, which the reference's
// pipeline fixes.
const patch = 2

// Geometry relates images to the transformer's tokens.
func (c Config) Geometry() model.Geometry {
	return model.Geometry{Downscale: 8, Patch: patch, Channels: c.InChannels / (patch * patch), PatchLast: true}
}

const className = "FluxTransformer2DModel"

// UnmarshalJSON reads a config.json and refuses what this package is not a
// model of.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	file := struct {
		plain
		Class       string `json:"_class_name"`
		PatchSize   int    `json:"patch_size"`
		OutChannels *int   `json:"out_channels"`
	}{
		plain: plain{
			InChannels: 64, DoubleBlocks: 19, SingleBlocks: 38, HeadSize: 128, Heads: 24,
			TextWidth: 4096, PooledWidth: 768, RopeAxes: []int{16, 56, 56},
		},
		Class:     className,
		PatchSize: 1,
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("flux transformer config: %w", err)
	}
	*c = Config(file.plain)
	switch {
	case file.Class != className:
		return fmt.Errorf("flux transformer config: _class_name is %q, want %q", file.Class, className)
	case file.PatchSize != 1:
		return fmt.Errorf("flux transformer config: patch_size %d is not supported, want 1", file.PatchSize)
	case file.OutChannels != nil && *file.OutChannels != c.InChannels:
		return fmt.Errorf("flux transformer config: %d in_channels but %d out_channels: "+
			"control and fill variants, which read more than latents, are not supported", c.InChannels, *file.OutChannels)
	}
	return c.check()
}

// check refuses sizes that no transformer can have.
func (c Config) check() error {
	if err := nn.CheckSizes(
		nn.Size{Key: "in_channels", Value: c.InChannels},
		nn.Size{Key: "attention_head_dim", Value: c.HeadSize},
		nn.Size{Key: "num_attention_heads", Value: c.Heads},
		nn.Size{Key: "num_attention_heads × attention_head_dim", Value: c.Width()},
		nn.Size{Key: "joint_attention_dim", Value: c.TextWidth},
		nn.Size{Key: "pooled_projection_dim", Value: c.PooledWidth},
		nn.Size{Key: "num_layers + num_single_layers", Value: c.DoubleBlocks + c.SingleBlocks, Most: nn.MostLayers},
	); err != nil {
		return fmt.Errorf("flux transformer config: %w", err)
	}
	if c.DoubleBlocks < 0 || c.SingleBlocks < 0 {
		return fmt.Errorf("flux transformer config: num_layers %d and num_single_layers %d, want none below 0",
			c.DoubleBlocks, c.SingleBlocks)
	}
	if c.InChannels%(patch*patch) != 0 {
		return fmt.Errorf("flux transformer config: in_channels %d is not a multiple of %d, the latent pixels of a token",
			c.InChannels, patch*patch)
	}
	return c.checkAxes()
}

// checkAxes makes sure that rope covers exactly a head.
func (c Config) checkAxes() error {
	if len(c.RopeAxes) != 3 {
		return fmt.Errorf("flux transformer config: axes_dims_rope is %v, want three sizes (index, y, x)", c.RopeAxes)
	}
	sum := 0
	for _, size := range c.RopeAxes {
		if size < 0 || size%2 != 0 || size > c.HeadSize {
			return fmt.Errorf("flux transformer config: axes_dims_rope is %v, want even sizes up to attention_head_dim %d",
				c.RopeAxes, c.HeadSize)
		}
		sum += size
	}
	if sum != c.HeadSize {
		return fmt.Errorf("flux transformer config: axes_dims_rope %v adds up to %d, but attention_head_dim is %d",
			c.RopeAxes, sum, c.HeadSize)
	}
	return nil
}
