//go:build unix

package script

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// An account is who a command runs as.
type account struct {
	name, home string
	credential *syscall.Credential // nil: as the daemon
}

// accountOf looks a user up by name or id; an empty name is the daemon itself.
func accountOf(name string) (account, error) {
	if name == "" {
		return self(), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		byID, idErr := user.LookupId(name)
		if idErr != nil {
			return account{}, fmt.Errorf("cannot run a command as user %s: %w", name, err)
		}
		u = byID
	}
	if u.Uid == strconv.Itoa(os.Geteuid()) {
		return account{name: u.Username, home: u.HomeDir}, nil
	}
	if os.Geteuid() != 0 {
		return account{}, fmt.Errorf("cannot run a command as user %s: the agent runs as uid %d, and only root can become another user: run dropship as root, or remove user", name, os.Geteuid())
	}
	credential, err := credentialOf(u)
	if err != nil {
		return account{}, fmt.Errorf("cannot run a command as user %s: %w", name, err)
	}
	return account{name: u.Username, home: u.HomeDir, credential: credential}, nil
}

// mayBecome returns why no command can run as that user, as far as that is known before there is one to run: a user that
// is not there may be made by then.
func mayBecome(name string) error {
	if os.Geteuid() == 0 {
		return nil
	}
	_, err := accountOf(name)
	return err
}

// self is the account of the daemon. systemd gives system services no HOME, so it is looked up.
func self() account {
	a := account{name: strconv.Itoa(os.Geteuid()), home: "/"}
	if u, err := user.LookupId(a.name); err == nil {
		a.name, a.home = u.Username, u.HomeDir
	}
	if home := os.Getenv("HOME"); home != "" {
		a.home = home
	}
	return a
}

func credentialOf(u *user.User) (*syscall.Credential, error) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil, fmt.Errorf("cannot look up its groups: %w", err)
	}
	numbers := make([]uint32, 0, len(ids)+2)
	for _, id := range append([]string{u.Uid, u.Gid}, ids...) {
		n, err := strconv.ParseUint(id, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("its id is no number: %w", err)
		}
		numbers = append(numbers, uint32(n))
	}
	return &syscall.Credential{Uid: numbers[0], Gid: numbers[1], Groups: numbers[2:]}, nil
}

// environ is the environment of every command, before what the file and the update add.
func (a account) environ() []string {
	path := os.Getenv("PATH")
	if path == "" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	vars := []string{"PATH=" + path, "HOME=" + a.home, "USER=" + a.name, "LOGNAME=" + a.name}
	for _, key := range []string{"LANG", "LC_ALL", "TZ", "TMPDIR"} {
		if v, ok := os.LookupEnv(key); ok {
			vars = append(vars, key+"="+v)
		}
	}
	return vars
}
