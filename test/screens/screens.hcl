# What the screens in docs/screens.md show. $DIR and $URL are put in by the program.
stateDir = "$DIR/state"
socket   = "$DIR/dropship.sock"

repo "file" { root = "$DIR/artifacts" }
repo "http" { url = "$URL" }
lock "file" { path = "$DIR/lock" }

service "api" {
  checkInterval = "1s"
  artifact "file" {
    path        = "api.tar.gz"
    destination = "$DIR/srv/api"
  }
}

service "docs" {
  checkInterval = "1s"
  artifact "file" {
    path        = "docs.tar.gz"
    destination = "$DIR/srv/docs"
  }
  after "script" { command = "echo checking the pages; test ! -e $DIR/srv/docs/BROKEN || { echo index.html leads nowhere >&2; exit 1; }" }
}

service "mail" {
  checkInterval = "1s"
  artifact "file" {
    path        = "mail.tar.gz"
    destination = "$DIR/srv/mail"
  }
}

# The agent looks an hour later: until then a person is faster.
service "web" {
  checkInterval     = "1h"
  sequentialUpdates = true
  updateTTL         = "3s"
  before "script" { command = "sleep 2 # systemctl stop web" }
  artifact "http" {
    path        = "web.tar.gz"
    destination = "$DIR/srv/web"
  }
  after "script" { command = "sleep 2 # systemctl start web" }
  after "script" { command = "test -e $DIR/srv/web/VERSION" }
}
