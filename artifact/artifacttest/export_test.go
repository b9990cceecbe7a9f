package artifacttest

// Download lets the tests of broken networks fetch as the suite does.
var Download = download
