service "web" {
  checkInterval = "10s", # ERROR: Unexpected comma after argument
}
