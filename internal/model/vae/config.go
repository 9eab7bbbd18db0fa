package vae

import (
	"encoding/json"
	"fmt"

	"taca/internal/model/nn"
)

// Config is the autoencoder's config.json. Keys it lacks have the values of
// diffusers' AutoencoderKL.
type Config struct {
	Widths          []int   `json:"block_out_channels"`      // channels at each size, from the picture's to the latents'
	LayersPerBlock  int     `json:"layers_per_block"`        // of the encoder; the decoder has one more
	LatentChannels  int     `json:"latent_channels"`         //
	Groups          int     `json:"norm_num_groups"`         //
	Scaling         float32 `json:"scaling_factor"`          // the denoiser's latents are (latents - Shift) · Scaling
	Shift           float32 `json:"shift_factor"`            //
	MiddleAttention bool    `json:"mid_block_add_attention"` //
	PostQuant       bool    `json:"use_post_quant_conv"`     // a matrix mixes the channels of latents before the decoder
	Quant           bool    `json:"use_quant_conv"`          // another mixes what the encoder says of them

	// Of the encoder, which refuses what it is no model of: a decoder does
	// without.
	InChannels int      `json:"in_channels"`
	DownBlocks []string `json:"down_block_types"`
}

// Downscale is image pixels per latent pixel, along each side.
func (c Config) Downscale() int { return 1 << (len(c.Widths) - 1) }

const (
	className     = "AutoencoderKL"
	upBlockType   = "UpDecoderBlock2D"
	downBlockType = "DownEncoderBlock2D"
	colours       = 3
)

// UnmarshalJSON reads a config.json and refuses what this package is not a
// model of.
func (c *Config) UnmarshalJSON(data []byte) error {
	type plain Config
	file := struct {
		plain
		Class       string   `json:"_class_name"`
		Activation  string   `json:"act_fn"`
		OutChannels int      `json:"out_channels"`
		UpBlocks    []string `json:"up_block_types"`
	}{
		plain: plain{
			Widths: []int{64}, LayersPerBlock: 1, LatentChannels: 4, Groups: 32,
			Scaling: 0.18215, MiddleAttention: true, PostQuant: true, Quant: true,
			InChannels: colours, DownBlocks: []string{downBlockType},
		},
		Class: className, Activation: "silu", OutChannels: colours, UpBlocks: []string{upBlockType},
	}
	if err := json.Unmarshal(data, &file); err != nil {
		return fmt.Errorf("vae config: %w", err)
	}
	*c = Config(file.plain)
	switch {
	case file.Class != className:
		return fmt.Errorf("vae config: _class_name is %q, want %q", file.Class, className)
	case file.Activation != "silu":
		return fmt.Errorf("vae config: act_fn %q is not supported, want silu", file.Activation)
	case file.OutChannels != colours:
		return fmt.Errorf("vae config: out_channels is %d, want %d", file.OutChannels, colours)
	case len(file.UpBlocks) != len(c.Widths):
		return fmt.Errorf("vae config: %d up_block_types for %d block_out_channels", len(file.UpBlocks), len(c.Widths))
	}
	for _, kind := range file.UpBlocks {
		if kind != upBlockType {
			return fmt.Errorf("vae config: up_block_types %q is not supported, want %s", kind, upBlockType)
		}
	}
	return c.check()
}

// mostWidths keeps Downscale sane; published models have 4.
const mostWidths = 8

// check refuses sizes that no decoder can have.
func (c Config) check() error {
	if len(c.Widths) < 1 || len(c.Widths) > mostWidths {
		return fmt.Errorf("vae config: %d block_out_channels, want 1 to %d", len(c.Widths), mostWidths)
	}
	sizes := []nn.Size{
		{Key: "latent_channels", Value: c.LatentChannels},
		{Key: "layers_per_block", Value: c.LayersPerBlock, Most: nn.MostLayers},
		{Key: "norm_num_groups", Value: c.Groups},
	}
	for _, width := range c.Widths {
		sizes = append(sizes, nn.Size{Key: "block_out_channels", Value: width})
	}
	if err := nn.CheckSizes(sizes...); err != nil {
		return fmt.Errorf("vae config: %w", err)
	}
	for _, width := range c.Widths {
		if width%c.Groups != 0 {
			return fmt.Errorf("vae config: block_out_channels %d is not a multiple of norm_num_groups %d", width, c.Groups)
		}
	}
	if c.Scaling == 0 {
		return fmt.Errorf("vae config: scaling_factor is 0")
	}
	return nil
}

// checkEncoder refuses encoders that this package is no model of.
func (c Config) checkEncoder() error {
	switch {
	case c.InChannels != colours:
		return fmt.Errorf("vae config: in_channels is %d, want %d", c.InChannels, colours)
	case len(c.DownBlocks) != len(c.Widths):
		return fmt.Errorf("vae config: %d down_block_types for %d block_out_channels", len(c.DownBlocks), len(c.Widths))
	}
	for _, kind := range c.DownBlocks {
		if kind != downBlockType {
			return fmt.Errorf("vae config: down_block_types %q is not supported, want %s", kind, downBlockType)
		}
	}
	return nil
}
