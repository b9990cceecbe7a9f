stateDir = env("DROPSHIP_TEST_NEVER_SET") # ERROR: Cannot take a value from the environment
socket   = env("A", "b", "c")             # ERROR: Cannot take a value from the environment

repo "s3" {
  secret = file("no-such-file") # ERROR: Cannot take a value from a file
}

service "web" {
  checkInterval = interval # ERROR: Unknown variable

  before "script" {
    command = "true"
    env = {
      PATH = "${HOME}/bin" # ERROR: Unknown variable
    }
  }

  artifact "s3" {
    bucket      = "b"
    path        = environ("X") # ERROR: Call to unknown function
    destination = "/srv/web"
  }
}
