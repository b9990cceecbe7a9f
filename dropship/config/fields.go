package config

import (
	"math"
	"math/big"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// fields reads the attributes of one block. Each method returns what it is given as missing where the
// attribute is absent, null or wrong; what is wrong is kept in diags, so that reading goes on.
type fields struct {
	ectx  *hcl.EvalContext
	diags hcl.Diagnostics
}

func (f *fields) errorf(summary string, attr *hcl.Attribute, detail string, args ...any) {
	f.diags = append(f.diags, problem(summary, attr.Expr.Range().Ptr(), detail, args...))
}

// value evaluates attr; false where there is none.
func (f *fields) value(attr *hcl.Attribute) (cty.Value, bool) {
	if attr == nil {
		return cty.NilVal, false
	}
	v, diags := attr.Expr.Value(f.ectx)
	f.diags = append(f.diags, diags...)
	if diags.HasErrors() || v.IsNull() || !v.IsWhollyKnown() {
		return cty.NilVal, false
	}
	return v, true
}

// as evaluates attr and converts it to a type, which people know as want.
func (f *fields) as(attr *hcl.Attribute, t cty.Type, want string) (cty.Value, bool) {
	v, ok := f.value(attr)
	if !ok {
		return cty.NilVal, false
	}
	c, err := convert.Convert(v, t)
	if err != nil || c.IsNull() {
		given := "a " + v.Type().FriendlyName()
		if v.Type() == cty.String {
			given = strconv.Quote(v.AsString())
		}
		f.errorf("Invalid "+attr.Name, attr, "%s must be %s, not %s.", attr.Name, want, given)
		return cty.NilVal, false
	}
	return c, true
}

func (f *fields) text(attr *hcl.Attribute, missing string) string {
	v, ok := f.as(attr, cty.String, "a string")
	switch {
	case !ok:
		return missing
	case v.AsString() == "":
		f.errorf("Empty "+attr.Name, attr, "%s has no value. Give it one, or leave it out.", attr.Name)
		return missing
	}
	return v.AsString()
}

// boolean returns false where there is none; ok is false where what there is is wrong.
func (f *fields) boolean(attr *hcl.Attribute) (value, ok bool) {
	mistakes := len(f.diags)
	v, given := f.as(attr, cty.Bool, "true or false")
	return given && v.True(), len(f.diags) == mistakes
}

// path returns an absolute path; a relative one is taken from the working directory.
func (f *fields) path(attr *hcl.Attribute, missing string) string {
	path := f.text(attr, missing)
	if path == "" {
		return ""
	}
	if strings.ContainsRune(path, 0) {
		f.errorf("Invalid "+attr.Name, attr, "A path can hold no NUL character.")
		return missing
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		f.errorf("Invalid "+attr.Name, attr, "Cannot make %s absolute: %v.", path, err)
		return missing
	}
	return abs
}

// duration reads a duration that is longer than zero, and not below least.
func (f *fields) duration(attr *hcl.Attribute, missing, least time.Duration) time.Duration {
	v, ok := f.value(attr)
	if !ok {
		return missing
	}
	if v.Type() == cty.Number && v.AsBigFloat().Sign() > 0 && v.AsBigFloat().Cmp(big.NewFloat(1e9)) < 0 {
		f.errorf("Invalid duration", attr,
			`A duration needs quotes and a unit: %s = "%ss", if seconds are meant.`, attr.Name, v.AsBigFloat().Text('f', -1))
		return missing
	}
	if v.Type() != cty.String {
		f.errorf("Invalid duration", attr, `%s must be a duration such as "10s" or "1m30s", and longer than zero.`, attr.Name)
		return missing
	}
	d, err := time.ParseDuration(v.AsString())
	switch {
	case err != nil:
		f.errorf("Invalid duration", attr,
			`%q is no duration. Write numbers with units (ms, s, m, h) and no spaces, such as "10s", "1m30s" or "2h".`, v.AsString())
		return missing
	case d <= 0:
		f.errorf("Duration out of range", attr, "%s must be longer than zero.", attr.Name)
		return missing
	case d < least:
		f.errorf("Duration out of range", attr, "%s must be at least %s.", attr.Name, least)
		return missing
	}
	return d
}

// integer reads a whole number from least to most.
func (f *fields) integer(attr *hcl.Attribute, missing, least, most int64) int64 {
	v, ok := f.as(attr, cty.Number, "a whole number")
	if !ok {
		return missing
	}
	n, accuracy := v.AsBigFloat().Int64()
	switch {
	case !v.AsBigFloat().IsInt():
		f.errorf("Invalid "+attr.Name, attr, "%s must be a whole number.", attr.Name)
		return missing
	case n < least || n > most || accuracy != big.Exact:
		f.errorf("Number out of range", attr, "%s must be at least %d and at most %d.", attr.Name, least, most)
		return missing
	}
	return n
}

var sizePattern = regexp.MustCompile(`^([0-9]+)\s*([A-Za-z]*)$`)

var sizeUnits = map[string]int64{
	"": 1, "B": 1,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}

// size reads a number of bytes, "20GiB" or 20000; 0 if there is none.
func (f *fields) size(attr *hcl.Attribute) int64 {
	return f.bytes(attr, "", `"500MiB" or "20GiB".`)
}

// bandwidth reads a number of bytes a second, "20MiB/s" or "20MiB"; 0 if there is none.
func (f *fields) bandwidth(attr *hcl.Attribute) int64 {
	n := f.bytes(attr, "/s", `"20MiB/s": it is bytes a second, not bits.`)
	if n > 0 && n < leastBandwidth {
		f.errorf("Bandwidth out of range", attr, `%d bytes a second bring no artifact. Write a unit, such as "20MiB/s".`, n)
	}
	return n
}

// bytes reads a size that may have per after it, and looks like the example.
func (f *fields) bytes(attr *hcl.Attribute, per, example string) int64 {
	v, ok := f.as(attr, cty.String, "a size")
	if !ok {
		return 0
	}
	format := "Write a whole number and a unit of bytes (B, KB, MB, GB, TB, KiB, MiB, GiB, TiB), such as " + example
	m := sizePattern.FindStringSubmatch(strings.TrimSuffix(v.AsString(), per))
	if m == nil {
		f.errorf("Invalid size", attr, "%q is no size. %s", v.AsString(), format)
		return 0
	}
	unit, ok := sizeUnits[strings.ToUpper(m[2])]
	if !ok {
		f.errorf("Invalid size", attr, "%q is no unit of size. %s", m[2], format)
		return 0
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		f.errorf("Size out of range", attr, "%s must be more than zero and less than 8 EiB. Leave it out for the default.", attr.Name)
		return 0
	}
	return n * unit
}

// choice reads one of a few words.
func (f *fields) choice(attr *hcl.Attribute, missing string, choices ...string) string {
	value := f.text(attr, missing)
	for _, choice := range choices {
		if value == choice {
			return value
		}
	}
	if value != missing {
		f.errorf("Invalid "+attr.Name, attr, "%q is not one of %s.%s", value, quoted(choices), didYouMean(value, choices))
	}
	return missing
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

const nameRule = `begins with a letter or a digit and goes on with letters, digits, ".", "_" and "-"`

// name reads a name that becomes part of paths and keys.
func (f *fields) name(attr *hcl.Attribute, missing string) string {
	name := f.text(attr, missing)
	if name != missing && !namePattern.MatchString(name) {
		f.errorf("Invalid "+attr.Name, attr, "%q is no valid name: it %s.", name, nameRule)
		return missing
	}
	return name
}

// strings reads a list of strings, each with the range of its place in the file.
func (f *fields) strings(attr *hcl.Attribute) ([]string, []hcl.Range) {
	v, ok := f.value(attr)
	if !ok {
		return nil, nil
	}
	if !v.Type().IsTupleType() && !v.Type().IsListType() && !v.Type().IsSetType() {
		f.errorf("Invalid "+attr.Name, attr, `%s must be a list of strings, such as ["a", "b"].`, attr.Name)
		return nil, nil
	}
	items, _ := hcl.ExprList(attr.Expr) // fails for a list that is computed: then every item is at the whole
	var texts []string
	var ranges []hcl.Range
	for _, item := range v.AsValueSlice() {
		at := attr.Expr.Range()
		if len(items) == v.LengthInt() {
			at = items[len(texts)].Range()
		}
		text, err := convert.Convert(item, cty.String)
		if err != nil || text.IsNull() {
			f.diags = append(f.diags, problem("Invalid "+attr.Name, &at, "%s must be a list of strings, and this is a %s.",
				attr.Name, item.Type().FriendlyName()))
			return nil, nil
		}
		texts, ranges = append(texts, text.AsString()), append(ranges, at)
	}
	return texts, ranges
}
