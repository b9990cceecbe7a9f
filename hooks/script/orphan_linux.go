package script

import "syscall"

// dieWithAgent has the kernel kill the command when the thread that starts it ends, as it does when the agent is
// killed. What the command itself has started lives on: a process can ask that only of its own child.
func dieWithAgent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
