package main

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
)

// underManager runs the agent, as a service where the service manager has started the process. Not through the
// library's Run, which knows only of stops that are asked for, and so would go on without an agent.
func (a *app) underManager(ctx context.Context, agent func(context.Context) error) error {
	isService, err := svc.IsWindowsService()
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("cannot tell whether this is a service: %w", err)}
	}
	if !isService {
		return agent(ctx)
	}
	log, err := eventlog.Open("dropship")
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("cannot open the event log: %w", err)}
	}
	defer log.Close()
	a.stderr = events{log} // a service has no other place to write to
	s := &windowsService{ctx: ctx, agent: agent}
	if err := svc.Run("dropship", s); err != nil {
		return &exitError{exitFailed, fmt.Errorf("cannot run as a service: %w", err)}
	}
	return s.err
}

// events makes an event of each line of the log.
type events struct{ log *eventlog.Log }

// Write implements io.Writer.
func (e events) Write(p []byte) (int, error) {
	if err := e.log.Info(1, string(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// A windowsService speaks with the service manager while the agent runs.
type windowsService struct {
	ctx   context.Context
	agent func(context.Context) error
	err   error // why the agent ended
}

// Execute implements svc.Handler. An agent that ends unasked ends the service as a failure, and the manager restarts
// it. A stop is pending for as long as the agent completes an update.
func (s *windowsService) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (bool, uint32) {
	const accepted = svc.AcceptStop | svc.AcceptShutdown
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.agent(ctx) }()
	current := svc.Status{State: svc.Running, Accepts: accepted}
	status <- current
	stillHere := time.NewTicker(time.Second)
	defer stillHere.Stop()
	for {
		select {
		case request := <-requests:
			switch request.Cmd {
			case svc.Stop, svc.Shutdown:
				current = svc.Status{State: svc.StopPending, WaitHint: 10_000}
				stop()
			}
			status <- current
		case <-stillHere.C:
			if current.State == svc.StopPending {
				current.CheckPoint++
				status <- current
			}
		case s.err = <-ended:
			if s.err != nil || ctx.Err() == nil {
				return true, exitFailed
			}
			return false, 0
		}
	}
}
