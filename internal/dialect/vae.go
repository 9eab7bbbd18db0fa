package dialect

import "fmt"

// What no VAE has more of, so that no file makes a table of its square.
const mostSizes, mostResiduals = 8, 16

// ldmVAE is the names of latent diffusion's autoencoder, in which so many
// sizes each have up to so many residual blocks. Its decoder counts its sizes
// from the picture, diffusers' from the latents.
func ldmVAE(sizes, residuals int) Table {
	sizes, residuals = min(sizes, mostSizes), min(residuals, mostResiduals)
	t := Table{}
	for _, half := range []string{"encoder.", "decoder."} {
		ldmOutside.into(t, half, half)
		for i := range 2 {
			ldmResidual.into(t, fmt.Sprintf("%smid.block_%d.", half, i+1), fmt.Sprintf("%smid_block.resnets.%d.", half, i))
		}
		ldmAttention.into(t, half+"mid.attn_1.", half+"mid_block.attentions.0.")
		for name := range ldmAttention {
			m := t[half+"mid.attn_1."+name]
			m.squeezed = true
			t[half+"mid.attn_1."+name] = m
		}
	}
	for i := range sizes {
		down, up := fmt.Sprintf("encoder.down.%d.", i), fmt.Sprintf("decoder.up.%d.", i)
		downs, ups := fmt.Sprintf("encoder.down_blocks.%d.", i), fmt.Sprintf("decoder.up_blocks.%d.", sizes-1-i)
		for j := range residuals {
			ldmResidual.into(t, fmt.Sprintf("%sblock.%d.", down, j), fmt.Sprintf("%sresnets.%d.", downs, j))
			ldmResidual.into(t, fmt.Sprintf("%sblock.%d.", up, j), fmt.Sprintf("%sresnets.%d.", ups, j))
		}
		rules{"downsample.conv": {"downsamplers.0.conv"}}.into(t, down, downs)
		rules{"upsample.conv": {"upsamplers.0.conv"}}.into(t, up, ups)
	}
	rules{"quant_conv": {"quant_conv"}, "post_quant_conv": {"post_quant_conv"}}.into(t, "", "")
	return t
}

var ldmOutside = rules{"conv_in": {"conv_in"}, "norm_out": {"conv_norm_out"}, "conv_out": {"conv_out"}}

var ldmResidual = rules{
	"norm1": {"norm1"}, "conv1": {"conv1"}, "norm2": {"norm2"}, "conv2": {"conv2"}, "nin_shortcut": {"conv_shortcut"},
}

var ldmAttention = rules{
	"norm": {"group_norm"}, "q": {"to_q"}, "k": {"to_k"}, "v": {"to_v"}, "proj_out": {"to_out.0"},
}
