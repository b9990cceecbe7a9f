# Tell people of each update: in Slack, Mattermost and Microsoft Teams of all that went well or wrong, in PagerDuty only of
# what went wrong, until it is right again; and a server of your own, signed.
#
# The addresses are credentials: whoever has one can write there. They come from the environment of the agent: for the
# packaged unit, lines NAME=value in /etc/default/dropship, mode 0600.

repo "http" {
  url = "https://artifacts.example.com"
}

service "shop" {
  before "systemd" {
    stop = "shop"
  }

  artifact "http" {
    path        = "shop/latest.tar.gz"
    destination = "/srv/shop"
  }

  after "systemd" {
    start = "shop"
  }
  after "http-check" {
    url = "http://127.0.0.1:8080/health"
  }

  # Slack. Text in a block of type plain_text has no markup, so nothing in an error can ring a whole channel; "text" is
  # what notifications show. A block takes 3000 characters.
  after "webhook" {
    when = "always"
    url  = env("SLACK_WEBHOOK_URL")
    body = <<-EOT
      {
        "text": {{printf "%s: %s on %s" .Name .Status .Hostname | json}},
        "blocks": [
          {
            "type": "section",
            "text": {
              "type": "plain_text",
              "text": {{printf "%s: %s to %.7s on %s\n%.2000s" .Name .Status .Hash .Hostname .Error | json}}
            }
          }
        ]
      }
    EOT
  }

  # Mattermost. Its text is Markdown; an error is shown as it is between two lines of ```.
  after "webhook" {
    when = "always"
    url  = env("MATTERMOST_WEBHOOK_URL")
    body = <<-EOT
      {
        "username": "dropship",
        "text": {{printf "**%s**: %s to `%.7s` on %s" .Name .Status .Hash .Hostname | json}}
        {{- with .Error}},
        "attachments": [{"color": "#d24b4e", "fallback": "failed", "text": {{printf "```\n%.2000s\n```" . | json}}}]
        {{- end}}
      }
    EOT
  }

  # Microsoft Teams: the address of a workflow that begins "When a Teams webhook request is received". It takes an
  # Adaptive Card, and answers 202 before it has posted it.
  after "webhook" {
    when = "always"
    url  = env("TEAMS_WEBHOOK_URL")
    body = <<-EOT
      {
        "type": "message",
        "attachments": [
          {
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
              "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
              "type": "AdaptiveCard",
              "version": "1.4",
              "body": [
                {
                  "type": "TextBlock",
                  "size": "Medium",
                  "weight": "Bolder",
                  "wrap": true,
                  "color": "{{if eq .Status "update"}}Good{{else}}Attention{{end}}",
                  "text": {{printf "%s: %s on %s" .Name .Status .Hostname | json}}
                },
                {
                  "type": "FactSet",
                  "facts": [
                    {"title": "Release", "value": {{json .Hash}}},
                    {"title": "Before", "value": {{json .PreviousHash}}},
                    {"title": "Error", "value": {{printf "%.2000s" .Error | json}}}
                  ]
                }
              ]
            }
          }
        ]
      }
    EOT
  }

  # PagerDuty: an update that was rolled back or failed opens an alert …
  after "webhook" {
    when = "failure"
    url  = "https://events.pagerduty.com/v2/enqueue"
    body = <<-EOT
      {
        "routing_key": "${env("PAGERDUTY_ROUTING_KEY")}",
        "event_action": "trigger",
        "dedup_key": {{printf "dropship/%s/%s" .Hostname .Name | json}},
        "payload": {
          "summary": {{printf "%s: %s on %s: %.500s" .Name .Status .Hostname .Error | json}},
          "source": {{json .Hostname}},
          "severity": "{{if eq .Status "rollback"}}warning{{else}}critical{{end}}",
          "component": {{json .Name}},
          "custom_details": {
            "hash": {{json .Hash}},
            "previous_hash": {{json .PreviousHash}},
            "update_id": {{json .UpdateID}}
          }
        }
      }
    EOT
  }

  # … and the next one that goes well closes it, by the same dedup_key.
  after "webhook" {
    url  = "https://events.pagerduty.com/v2/enqueue"
    body = <<-EOT
      {
        "routing_key": "${env("PAGERDUTY_ROUTING_KEY")}",
        "event_action": "resolve",
        "dedup_key": {{printf "dropship/%s/%s" .Hostname .Name | json}}
      }
    EOT
  }

  # A server of your own gets all there is to know, signed as Standard Webhooks says.
  after "webhook" {
    when   = "always"
    url    = "https://deployments.example.com/events"
    secret = env("WEBHOOK_SECRET")
  }
}
