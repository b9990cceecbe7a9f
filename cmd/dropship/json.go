package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"

	"github.com/spf13/cobra"
)

// printJSON writes a result for machines.
func printJSON(w io.Writer, result any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(result)
	if err == nil {
		_, err = w.Write(escapeUnprintable(b.Bytes()))
	}
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("cannot write the result: %w", err)}
	}
	return nil
}

// escapeUnprintable writes as escapes what dropship.Printable replaces, since a person may be reading: the same JSON, and
// nothing that a terminal obeys. Outside of strings there is only the end of a line, which stays; within them there is
// none.
func escapeUnprintable(text []byte) []byte {
	b := make([]byte, 0, len(text))
	for _, r := range string(text) {
		switch {
		case unicode.IsGraphic(r) || r == '\n':
			b = append(b, string(r)...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

// jsonFlag gives a command the flag that all of these have.
func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "write the result as JSON")
}
