package ram

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// hierarchy is a tree of control groups that limit memory, as one of the two
// versions of the kernel's interface has it.
type hierarchy struct {
	limit, usage string   // files of a group
	cached       []string // fields of memory.stat: what the kernel can take back
}

var (
	version1 = hierarchy{"memory.limit_in_bytes", "memory.usage_in_bytes", []string{"total_active_file", "total_inactive_file"}}
	version2 = hierarchy{"memory.max", "memory.current", []string{"active_file", "inactive_file"}}
)

// groupRoom is what this program's control groups leave of memory; 0 where
// they limit nothing. A group's limit holds for all below it.
func groupRoom(root fs.FS) int {
	least := 0
	for _, m := range mounts(root) {
		for at := m.group; ; at = path.Dir(at) {
			if room, limited := m.room(root, path.Join(m.at, at)); limited && (least == 0 || room < least) {
				least = room
			}
			if at == "/" || at == "." {
				break
			}
		}
	}
	return least
}

// room is what one group leaves, at least a byte: 0 is no limit.
func (h hierarchy) room(root fs.FS, group string) (bytes int, limited bool) {
	limit, ok := number(root, path.Join(group, h.limit))
	if !ok || limit >= unlimited {
		return 0, false
	}
	used, _ := number(root, path.Join(group, h.usage))
	for _, name := range h.cached {
		cached, _ := field(root, path.Join(group, "memory.stat"), name)
		used -= cached
	}
	return max(1, limit-max(0, used)), true
}

// number is a file that holds one; "max" is none.
func number(root fs.FS, name string) (int, bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(data)))
	return n, err == nil
}

// mount is where a hierarchy is seen, and this program's group in it.
type mount struct {
	hierarchy
	at    string // without the leading slash
	group string // below at, "/" for at itself
}

// mounts finds the hierarchies that limit memory. Which group the program is
// in is told from the top of a hierarchy; a container may see a part of it.
func mounts(root fs.FS) []mount {
	data, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return nil
	}
	var all []mount
	for line := range strings.Lines(string(data)) {
		// id parent device root mount-point options [optional ...] - type source options
		front, back, _ := strings.Cut(line, " - ")
		places, kind := strings.Fields(front), strings.Fields(back)
		if len(places) < 5 || len(kind) < 3 {
			continue
		}
		m := mount{at: strings.TrimPrefix(places[4], "/")}
		switch {
		case kind[0] == "cgroup2":
			m.hierarchy = version2
			m.group = below(places[3], ownGroup(root, ""))
		case kind[0] == "cgroup" && slices.Contains(strings.Split(kind[2], ","), "memory"):
			m.hierarchy = version1
			m.group = below(places[3], ownGroup(root, "memory"))
		default:
			continue
		}
		all = append(all, m)
	}
	return all
}

// ownGroup is the program's group in the hierarchy of a controller, or in the
// unified one.
func ownGroup(root fs.FS, controller string) string {
	data, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return "/"
	}
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		if len(parts) == 3 && slices.Contains(strings.Split(parts[1], ","), controller) {
			return path.Clean("/" + parts[2])
		}
	}
	return "/"
}

// below is a group seen from the top of a mount. Where that is not above it,
// as in a container that is told the path outside, the mount is its own group.
func below(top, group string) string {
	if top == "/" {
		return group
	}
	if rest, ok := strings.CutPrefix(group, top); ok && (rest == "" || rest[0] == '/') {
		return path.Clean("/" + rest)
	}
	return "/"
}
