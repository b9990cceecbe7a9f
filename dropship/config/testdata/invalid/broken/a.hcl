service_path = "services"

repo "mirror" {
  type = "s3"
}

service "web" {
  checkInterval = = "10s" # ERROR: Invalid expression
}
