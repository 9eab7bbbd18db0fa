// Package compbench lays pictures out as the evaluators of T2I-CompBench read
// them: a folder for each category of prompts, and in its folder samples ten
// pictures of each prompt, whose names are all that the evaluators know of them.
package compbench
