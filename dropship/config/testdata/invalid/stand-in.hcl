# The artifacts of a repository that cannot be made are checked with another of its type.
repo "releases" {
  type = "file"
  root = "/srv/releases"
}

repo "nightly" {
  type = "file"
  root = "nightly" # ERROR: Root is not absolute
}

service "missing" {
  artifact "file" { # ERROR: No repo block
    path        = "../missing.tar.gz" # ERROR: Invalid artifact path
    destination = "/srv/missing"
  }
}

service "wrong" {
  artifact "nightly" {
    path        = "wrong.tar.gz"
    bucket      = "b" # ERROR: Unsupported argument
    destination = "/srv/wrong"
  }
}
