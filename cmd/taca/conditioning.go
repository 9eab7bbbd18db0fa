package main

import (
	"cmp"
	"os"
	"path/filepath"

	"taca/internal/conditioning"
)

// conditioningVariable is what --conditioning-cache takes its default from.
const conditioningVariable = "TACA_CONDITIONING_CACHE"

// conditioningCache is where encoded prompts are kept, or nil: nowhere. A trace
// needs encoders that run.
func (g *generation) conditioningCache() *conditioning.Cache {
	dir := cmp.Or(g.settings.ConditioningCache, os.Getenv(conditioningVariable))
	if dir == "off" || g.trace != nil {
		return nil
	}
	if dir == "" {
		user, err := os.UserCacheDir()
		if err != nil { // a user without a home has no place for it, and no use for a warning
			return nil
		}
		dir = filepath.Join(user, "taca", "conditioning")
	}
	return conditioning.New(dir, conditioning.Room)
}
