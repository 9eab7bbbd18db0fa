package checkpoint

// Error is a file of a model that cannot be used: what it is, what is wrong,
// and what to do about it.
type Error struct {
	Path    string
	Problem string
	Hint    string // may be empty
}

// Error is the path, the problem and the hint on one line.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Path + ": " + e.Problem
	}
	return e.Path + ": " + e.Problem + ": " + e.Hint
}
