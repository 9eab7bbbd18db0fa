// Package conditioning keeps encoded prompts on disk, each in a file named by
// a hash of all that its numbers depend on. It knows neither prompts nor
// encoders. A folder may be shared by any number of processes.
package conditioning
