//go:build !windows

package main

import "context"

// underManager runs the agent: where the service manager only looks at the process, in the foreground.
func (a *app) underManager(ctx context.Context, agent func(context.Context) error) error {
	return agent(ctx)
}
