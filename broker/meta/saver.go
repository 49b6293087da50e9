// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"context"
	"errors"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/rs/zerolog"
)

// Table is what Run saves.
type Table interface {
	Dirty() bool
	Save() error
}

// Job is a table with the period of its saves.
type Job struct {
	Name  string
	Every time.Duration
	Table Table
}

// Run saves each table in its period, and all of them once more when told to stop. A save that
// fails is logged and tried again; only the last one's failure is returned.
func Run(ctx context.Context, clock clockwork.Clock, log zerolog.Logger, jobs ...Job) error {
	due := make([]time.Time, len(jobs))
	for i, job := range jobs {
		due[i] = clock.Now().Add(job.Every)
	}
	for {
		next := clock.Now().Add(time.Hour)
		for i, job := range jobs {
			if !clock.Now().Before(due[i]) {
				due[i] = clock.Now().Add(job.Every)
				if err := job.Table.Save(); err != nil {
					log.Error().Err(err).Str("table", job.Name).Msg("table could not be saved, will be tried again")
				}
			}
			if due[i].Before(next) {
				next = due[i]
			}
		}
		timer := clock.NewTimer(next.Sub(clock.Now()))
		select {
		case <-timer.Chan():
		case <-ctx.Done():
			timer.Stop()
			var failed error
			for _, job := range jobs {
				failed = errors.Join(failed, job.Table.Save())
			}
			return failed
		}
	}
}
