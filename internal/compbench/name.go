package compbench

import (
	"errors"
	"fmt"
	"strings"
)

const (
	longestName = 255 // bytes, of a file in most file systems
	extension   = ".png"
	digits      = 6
)

// Name is what a category's picture is called. The evaluators take what stands
// before the first _ for the prompt, and sort by the number after it. index
// counts the pictures of all prompts of the category, from 0.
func Name(prompt string, index int) string {
	return fmt.Sprintf("%s_%0*d%s", prompt, digits, index, extension)
}

// nameable refuses prompts that the evaluators could not read from a name.
func nameable(prompt string) error {
	switch {
	case strings.TrimSpace(prompt) == "":
		return errors.New("it has no prompt: remove it, for the evaluators would count pictures of nothing")
	case strings.Contains(prompt, "_"):
		return fmt.Errorf("prompt %q: the evaluators read a prompt from its pictures' names, up to the first _: write it without", prompt)
	case strings.ContainsAny(prompt, "/\x00"):
		return fmt.Errorf("prompt %q: the evaluators read a prompt from its pictures' names, which may hold no / and no NUL: write it without", prompt)
	case strings.Contains(prompt, extension):
		return fmt.Errorf("prompt %q: the evaluators cut a picture's name at %s: write it without", prompt, extension)
	case len(Name(prompt, 0)) > longestName:
		return fmt.Errorf("prompt %q: the evaluators read a prompt from its pictures' names, which may have %d bytes, and this would have %d: shorten it",
			prompt[:60]+"...", longestName, len(Name(prompt, 0)))
	}
	return nil
}
