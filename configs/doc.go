// Package configs is the presets: for each published model its settings, where
// its weights come from, and the configuration of its parts, so that taca plan
// needs no download.
package configs
