package byterange_test

import (
	"testing"

	"github.com/dropship/dropship/artifact/internal/byterange"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		offset, length int64
		want           string
	}{
		{0, -1, ""},
		{5, -1, "bytes=5-"},
		{0, 1, "bytes=0-0"},
		{5, 10, "bytes=5-14"},
	} {
		if got := byterange.Request(tt.offset, tt.length); got != tt.want {
			t.Errorf("Request(%d, %d): got %q, want %q", tt.offset, tt.length, got, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	wrong := byterange.Range{First: -1, Last: -1, Size: -1}
	for _, tt := range []struct {
		header string
		want   byterange.Range
		ok     bool
	}{
		{"bytes 6-10/11", byterange.Range{First: 6, Last: 10, Size: 11}, true},
		{"bytes 6-10/*", byterange.Range{First: 6, Last: 10, Size: -1}, true},
		{"bytes */11", byterange.Range{First: -1, Last: -1, Size: 11}, true},
		{"", wrong, false},
		{"bytes 6-10", wrong, false},
		{"bytes 6/11", byterange.Range{First: 6, Last: 6, Size: 11}, true},
		{"bytes six-10/11", wrong, false},
		{"bytes 6-ten/11", wrong, false},
		{"bytes 6--1/11", wrong, false},
		{"bytes 6-99999999999999999999/*", wrong, false},
	} {
		got, err := byterange.Parse(tt.header)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%q: got %+v and error %v, want %+v", tt.header, got, err, tt.want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	answer := byterange.Range{First: 6, Last: 10, Size: 20}
	for _, tt := range []struct {
		offset, length int64
		want           string
	}{
		{6, -1, ""},
		{6, 5, ""},
		{5, 5, "the server sends bytes from 6 instead of 5"},
		{6, 4, "the server sends bytes up to 10 instead of 9"},
		{6, 6, "the server sends bytes up to 10 instead of 11"},
	} {
		got := ""
		if err := answer.Check(tt.offset, tt.length); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("Check(%d, %d): got error %q, want %q", tt.offset, tt.length, got, tt.want)
		}
	}
}
