service "web" {
  before "script" {
    command = "cd ${hostname" # ERROR: Unclosed quote
    env = {
      "MODE" = "production"
    }
  }
}
