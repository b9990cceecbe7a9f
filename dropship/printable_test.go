package dropship_test

import (
	"testing"

	"github.com/dropship/dropship/dropship"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"naïve – 猫":                        "naïve – 猫",
		"a\x1b[31mred\x07\r\nb\tc":         "a [31mred   b c",
		"\u202eright to left\u200b.\u009b": " right to left . ",
	} {
		if got := dropship.Printable(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
