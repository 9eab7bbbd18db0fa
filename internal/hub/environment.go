package hub

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Config is where the hub and its cache are.
type Config struct {
	Cache     string   // the folder of models--org--name
	Endpoint  *url.URL // of the hub
	Token     string   // empty: none
	TokenFrom string   // where Token was found, for messages
	TokenFile string   // where a token is looked for
	Offline   bool     // the cache alone
}

// FromEnvironment reads the variables that huggingface_hub reads, with its
// defaults: those of CacheFolder, HF_TOKEN, HF_TOKEN_PATH, HF_ENDPOINT and
// HF_HUB_OFFLINE.
func FromEnvironment() (Config, error) {
	home, hubHome := homes()
	c := Config{
		TokenFile: expand(cmp.Or(os.Getenv("HF_TOKEN_PATH"), filepath.Join(hubHome, "token")), home),
		Offline:   slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(os.Getenv("HF_HUB_OFFLINE"))),
	}
	var err error
	if c.Cache, err = CacheFolder(); err != nil {
		return c, err
	}
	endpoint := strings.TrimRight(cmp.Or(os.Getenv("HF_ENDPOINT"), "https://huggingface.co"), "/")
	c.Endpoint, err = url.Parse(endpoint)
	if err != nil || c.Endpoint.Host == "" || c.Endpoint.Scheme != "https" && c.Endpoint.Scheme != "http" {
		return c, fmt.Errorf("HF_ENDPOINT=%s is no address: it must begin with https:// or http://", printable(endpoint))
	}
	return c, c.findToken()
}

// CacheFolder is where huggingface_hub keeps repositories: HF_HUB_CACHE, else
// HF_HOME/hub, else XDG_CACHE_HOME/huggingface/hub.
func CacheFolder() (string, error) {
	home, hubHome := homes()
	cache := expand(cmp.Or(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"), filepath.Join(hubHome, "hub")), home)
	absolute, err := filepath.Abs(cache)
	if err != nil {
		return "", fmt.Errorf("find the cache %s: %w", cache, err)
	}
	return absolute, nil
}

// homes is the user's folder, and huggingface_hub's.
func homes() (user, hub string) {
	user, err := os.UserHomeDir()
	if err != nil {
		user = "."
	}
	cache := cmp.Or(os.Getenv("XDG_CACHE_HOME"), filepath.Join(user, ".cache"))
	return user, expand(cmp.Or(os.Getenv("HF_HOME"), filepath.Join(cache, "huggingface")), user)
}

// findToken looks where huggingface_hub does.
func (c *Config) findToken() error {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if c.Token = cleanToken(os.Getenv(name)); c.Token != "" {
			c.TokenFrom = "$" + name
			return nil
		}
	}
	data, err := os.ReadFile(c.TokenFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the token: %w", err)
	}
	if c.Token = cleanToken(string(data)); c.Token != "" {
		c.TokenFrom = c.TokenFile
	}
	return nil
}

// cleanToken is a token without the ends of lines that come along when it is
// pasted.
func cleanToken(text string) string {
	return strings.TrimSpace(strings.NewReplacer("\r", "", "\n", "").Replace(text))
}

// expand fills in ~ and variables.
func expand(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok || path == "~" {
		path = filepath.Join(home, rest)
	}
	return os.ExpandEnv(path)
}
