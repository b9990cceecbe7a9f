# One quote that is forgotten is one mistake, and what stands above it is checked all the same.
repo "s3" {
  "name" = "eu-central-1" # ERROR: Invalid argument name
}

service "web" {
  before "script" {
    command = "systemctl stop web # ERROR: Unclosed quote
    env = {
      "MODE" = "production"
    }
  }

  artifact "s3" {
    bucket = "b"
  }
}
