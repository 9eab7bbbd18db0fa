package nn

import "fmt"

// mostTokens is more than any vocabulary has.
const mostTokens = 1 << 20

// CheckVocabulary refuses a vocab_size that cannot be meant. It is no size of
// CheckSizes, which are smaller.
func CheckVocabulary(n int) error {
	if n < 1 || n > mostTokens {
		return fmt.Errorf("vocab_size is %d, want 1 to %d", n, mostTokens)
	}
	return nil
}

// CheckIDs refuses token ids that an encoder with so many embeddings and
// positions cannot read. most is 0 where positions are not counted.
func CheckIDs(ids []int32, vocabulary, most int) error {
	if len(ids) == 0 {
		return fmt.Errorf("no tokens to encode")
	}
	if most > 0 && len(ids) > most {
		return fmt.Errorf("%d tokens are more than the %d positions of config.json", len(ids), most)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= vocabulary {
			return fmt.Errorf("token %d has id %d, but config.json has a vocabulary of %d: the tokenizer belongs to another model",
				i, id, vocabulary)
		}
	}
	return nil
}
