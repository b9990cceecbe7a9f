package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/dropship/dropship/dropship"
)

// The same text arrives, whatever is in it, and on its way there is nothing that a terminal obeys.
func TestJSONHasNothingThatActsOnATerminal(t *testing.T) {
	t.Parallel()
	for _, want := range []string{
		"naïve – 猫 <&>", "a\x1b[31m\x00\x7f\"\\\n\t", "\u009b31mred", "\u202eright to left\u202c\u2066\u2069\u200e\u061c", "\u2028\u2029\ufeff\u200b", "\U000e0001tag 🚀",
	} {
		var b bytes.Buffer
		if err := printJSON(&b, []string{want}); err != nil {
			t.Fatal(err)
		}
		if text := strings.ReplaceAll(b.String(), "\n", " "); dropship.Printable(text) != text {
			t.Errorf("acts on a terminal: %q", text)
		}
		var got []string
		if err := json.Unmarshal(b.Bytes(), &got); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("got %q and error %v, want %q", got, err, want)
		}
	}
}
