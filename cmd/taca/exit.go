package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"taca/internal/checkpoint"
	"taca/internal/hub"
	"taca/internal/lora"
	"taca/internal/mapping"
	"taca/internal/model/nn"
	"taca/internal/pipeline"
	"taca/internal/sampler"
	"taca/internal/tensor"
)

// The exit codes, as taca --help lists them. Interruptions give 128 plus the
// signal: 130 for Ctrl-C, 143 for SIGTERM.
const (
	exitOK     = 0
	exitOther  = 1
	exitUsage  = 2
	exitModel  = 3
	exitDevice = 4
	exitNaN    = 5
	exitHub    = 6
)

const exitHelp = `Exit codes:
  0    done
  1    something else failed, such as writing to a full disk
  2    a flag, a setting, a prompt or a picture that cannot be met
  3    a model, checkpoint or LoRA file that is missing, damaged, gated or does not fit
  4    a device that is missing, unknown or out of memory
  5    the model produced NaN or Inf
  6    the model hub cannot be reached; trying later may help
  130  interrupted by Ctrl-C (143 by SIGTERM); finished pictures are kept
`

// deviceError is a backend that cannot be had.
type deviceError struct{ error }

// Unwrap gives the reason.
func (e deviceError) Unwrap() error { return e.error }

// usageError is a command line that cannot be met.
type usageError struct{ error }

// Unwrap gives the reason.
func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// interrupted is the signal that ended the work.
type interrupted struct{ signal syscall.Signal }

// Error names the signal.
func (i interrupted) Error() string { return "interrupted" }

func exitCode(ctx context.Context, err error) int {
	var (
		sig       interrupted
		device    deviceError
		usage     usageError
		request   *pipeline.UsageError
		notFinite *sampler.NotFinite
		refused   *tensor.DeviceError
		pulled    *hub.Error
	)
	switch {
	case errors.As(context.Cause(ctx), &sig):
		return 128 + int(sig.signal)
	case errors.As(err, &device), errors.As(err, &refused):
		return exitDevice
	case errors.As(err, &usage), errors.As(err, &request):
		return exitUsage
	case errors.As(err, &notFinite):
		return exitNaN
	case errors.As(err, &pulled):
		return map[hub.Kind]int{hub.Refused: exitModel, hub.Unreachable: exitHub, hub.Disk: exitOther}[pulled.Kind]
	case ofModel(err):
		return exitModel
	}
	return exitOther
}

// ofModel reports whether err is about a model's files.
func ofModel(err error) bool {
	var (
		file    *checkpoint.Error
		defects *nn.Defects
		adapter *lora.Error
		changed *mapping.Changed
		folder  modelError
	)
	return errors.As(err, &file) || errors.As(err, &changed) || errors.As(err, &defects) || errors.As(err, &adapter) || errors.As(err, &folder)
}

// modelError is a model that cannot be read, whatever the reason.
type modelError struct{ error }

// Unwrap gives the reason.
func (e modelError) Unwrap() error { return e.error }

func message(ctx context.Context, err error) string {
	var sig interrupted
	var again resumable
	switch {
	case errors.As(context.Cause(ctx), &sig) && errors.As(err, &again):
		return "interrupted; what has come is kept, and the same command goes on"
	case errors.As(context.Cause(ctx), &sig):
		return "interrupted; nothing half-written is left"
	}
	return legible(strings.ReplaceAll(err.Error(), "\n", "; "), "") // of several that were joined
}
