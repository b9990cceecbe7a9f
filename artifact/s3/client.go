package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"

	"github.com/dropship/dropship/artifact/internal/transport"
)

// lazyClient makes the one client of a repository when it is needed first, since that reads files and
// the environment; a failure is not remembered.
type lazyClient struct {
	config Config

	endpoints endpoints

	mu     sync.Mutex
	client *s3.Client
}

func (l *lazyClient) get(ctx context.Context) (*s3.Client, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.client != nil {
		return l.client, nil
	}
	c := l.config
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithHTTPClient(newHTTPClient()),
		awsconfig.WithLogger(logging.Nop{}),
	}
	if c.Region != "" {
		options = append(options, awsconfig.WithRegion(c.Region))
	}
	if c.AccessKey != "" {
		options = append(options, awsconfig.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(c.AccessKey.Reveal(), c.Secret.Reveal(), c.Token.Reveal()),
		))
	}
	loaded, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("cannot load the AWS configuration: %w", err)
	}
	client := s3.NewFromConfig(loaded, func(o *s3.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
		o.UsePathStyle = o.BaseEndpoint != nil // a bucket in the host name needs DNS that others seldom have
		if o.Region == "" && o.BaseEndpoint != nil {
			o.Region = "us-east-1"
		}
		if c.AccessKey == "" {
			o.Credentials = chainProvider{o.Credentials}
		}
		if b, ok := o.HTTPClient.(*awshttp.BuildableClient); ok {
			o.HTTPClient = &http.Client{Transport: transport.Bound(b.GetTransport()), CheckRedirect: noRedirects}
		}
		o.Retryer = aws.NopRetryer{} // who calls a Source retries, and knows for how long
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		o.DisableLogOutputChecksumValidationSkipped = true
		o.APIOptions = append(o.APIOptions, withoutBody)
	})
	if client.Options().Region == "" {
		return nil, errors.New("no region is known: set name in the repo block, or AWS_REGION")
	}
	l.client = client
	return client, nil
}

// chainProvider says of the SDK's default chain what to do when it ends without credentials.
type chainProvider struct{ aws.CredentialsProvider }

func (p chainProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := p.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, &credentialsError{err}
	}
	return c, nil
}

// A credentialsError has its own type since its cause may be an answer too, of a service that gives
// credentials, and is none of S3's then.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string {
	return "no credentials were found: set accessKey and secret in the repo block, " +
		"or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE: " + e.err.Error()
}

func (e *credentialsError) Unwrap() error { return e.err }

// noRedirects has the answer that redirects be the answer. The SDK's client follows 307 and 308 without end, and to
// no good: the signature is for the host that was asked.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// withoutBody has the SDK look for no error in the body of an answer to a HEAD, which has none. For each it would make a
// parser with a buffer of 4 KiB, a seventh of the garbage of a check.
func withoutBody(stack *middleware.Stack) error {
	if stack.ID() != "HeadObject" {
		return nil
	}
	_, err := stack.Deserialize.Remove("S3:ProcessResponseFor200Error")
	return err
}

// newHTTPClient returns the SDK's own kind of client, which AWS_CA_BUNDLE reaches too.
func newHTTPClient() *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithTransportOptions(transport.Limit)
}
