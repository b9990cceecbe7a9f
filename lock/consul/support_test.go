package consul_test

import "crypto/rand"

func random() string { return rand.Text()[:10] }
