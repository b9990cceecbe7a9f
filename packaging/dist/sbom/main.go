// Sbom FILE VERSION prints what is compiled into a Go program, as a CycloneDX document: its modules and the standard library.
//
// It takes them from the program itself, where the linker wrote them. SOURCE_DATE_EPOCH, in seconds since 1970, is the
// time of the document, which has no serial number: the same program gives the same document.
package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

func main() {
	if err := run(os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

func run(args []string, getenv func(string) string, out io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: sbom FILE VERSION")
	}
	file, version := args[0], args[1]
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return fmt.Errorf("cannot read what %s was built from: %w", file, err)
	}
	epoch, err := strconv.ParseInt(getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return fmt.Errorf("cannot date the document: SOURCE_DATE_EPOCH: %w", err)
	}
	encoder := cyclonedx.NewBOMEncoder(out, cyclonedx.BOMFileFormatJSON).SetPretty(true)
	// Not the newest version of the format: this one is read by tools of two years ago, and says the same.
	if err := encoder.EncodeVersion(describe(info, version, time.Unix(epoch, 0).UTC()), cyclonedx.SpecVersion1_6); err != nil {
		return fmt.Errorf("cannot write the document: %w", err)
	}
	return nil
}

// describe gives the document of a program of that version. Its own module has none in a program built from a checkout.
func describe(info *debug.BuildInfo, version string, at time.Time) *cyclonedx.BOM {
	program := component(cyclonedx.ComponentTypeApplication, info.Main.Path, version)
	properties := []cyclonedx.Property{{Name: "go:version", Value: info.GoVersion}}
	for _, setting := range info.Settings {
		if setting.Key == "GOOS" || setting.Key == "GOARCH" {
			properties = append(properties, cyclonedx.Property{Name: "go:" + setting.Key, Value: setting.Value})
		}
	}
	program.Properties = &properties

	components := []cyclonedx.Component{
		component(cyclonedx.ComponentTypeLibrary, "std", strings.TrimPrefix(info.GoVersion, "go")),
	}
	for _, module := range info.Deps {
		if module.Replace != nil {
			module = module.Replace
		}
		components = append(components, component(cyclonedx.ComponentTypeLibrary, module.Path, module.Version))
	}
	linked := make([]string, len(components))
	for i := range components {
		linked[i] = components[i].BOMRef
	}

	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Timestamp: at.Format(time.RFC3339), Component: &program}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: program.BOMRef, Dependencies: &linked}}
	return bom
}

func component(kind cyclonedx.ComponentType, path, version string) cyclonedx.Component {
	purl := "pkg:golang/" + path + "@" + strings.ReplaceAll(version, "+", "%2B")
	return cyclonedx.Component{BOMRef: purl, Type: kind, Name: path, Version: version, PackageURL: purl}
}
