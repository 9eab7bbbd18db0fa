package pipeline

// Stage is what a pipeline is doing.
type Stage uint8

// The stages in their order.
const (
	Loading Stage = iota
	Encoding
	Denoising
	Decoding
)

// String is the stage as progress lines name it.
func (s Stage) String() string {
	return [...]string{"loading", "encoding", "denoising", "decoding"}[s]
}

// Event is progress: Done of Total parts of a stage are finished.
type Event struct {
	Stage       Stage
	Done, Total int
	What        string  // the part that starts now, or the encoder's name; of a picture's encoder at its end, too
	Gamma       float32 // of the step that runs now, when denoising
}

// Watcher is told of progress; it must be quick.
type Watcher func(Event)

func (w Watcher) tell(e Event) {
	if w != nil {
		w(e)
	}
}
