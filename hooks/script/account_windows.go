package script

import (
	"errors"
	"fmt"
	"os"
)

// An account is who a command runs as: on Windows always the daemon's.
type account struct{}

// accountOf knows no other user: on Windows it takes that user's password to become them.
func accountOf(name string) (account, error) {
	if name != "" {
		return account{}, fmt.Errorf("cannot run a command as user %s: not on Windows (%w), run the daemon as that user", name, errors.ErrUnsupported)
	}
	return account{}, nil
}

// mayBecome returns why no command can run as that user.
func mayBecome(name string) error {
	_, err := accountOf(name)
	return err
}

// environ is the environment of every command, before what the file and the update add: without these, programs
// on Windows do not start or find nothing.
func (account) environ() []string {
	var vars []string
	for _, key := range []string{
		"PATH", "PATHEXT", "ComSpec", "SystemRoot", "SystemDrive", "TEMP", "TMP", "USERPROFILE", "USERNAME",
		"ProgramData", "ProgramFiles", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE",
	} {
		if v, ok := os.LookupEnv(key); ok {
			vars = append(vars, key+"="+v)
		}
	}
	return vars
}
