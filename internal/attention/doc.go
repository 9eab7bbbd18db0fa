// Package attention records how a denoiser's visual tokens attend to its text:
// what share of their attention text has, how spread out it is, and where in the
// picture each text token is looked at from. It keeps sums, never a matrix of
// all queries by all keys.
package attention
