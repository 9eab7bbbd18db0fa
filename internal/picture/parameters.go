package picture

import (
	"fmt"
	"strings"
)

// Parameters is the text line other tools read, in the form that
// stable-diffusion-webui made common: the prompt, the negative prompt, then
// settings as "Name: value" with commas between.
func Parameters(prompt, negative string, settings ...Text) string {
	var b strings.Builder
	b.WriteString(prompt)
	if negative != "" {
		b.WriteString("\nNegative prompt: " + negative)
	}
	b.WriteByte('\n')
	for i, s := range settings {
		if i > 0 {
			b.WriteString(", ")
		}
		value := s.Value
		if strings.ContainsAny(value, ",:\n") {
			value = fmt.Sprintf("%q", value)
		}
		b.WriteString(s.Key + ": " + value)
	}
	return b.String()
}
