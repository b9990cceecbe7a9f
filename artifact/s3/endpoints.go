package s3

import (
	"context"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/auth"
	smithyendpoints "github.com/aws/smithy-go/endpoints"
)

// endpoints remembers where each bucket is. The SDK works that out anew twice a request, by hundreds of rules, and for
// one client and one operation on an object it follows from the bucket alone. The zero value is ready to use.
type endpoints struct {
	buckets sync.Map // of their names to a smithyendpoints.Endpoint
}

// use has one operation ask here first. It is for HeadObject alone: of another one the rules may say something else.
func (e *endpoints) use(o *s3.Options) {
	o.EndpointResolverV2 = &rememberingResolver{e, o.EndpointResolverV2}
}

type rememberingResolver struct {
	known *endpoints
	next  s3.EndpointResolverV2
}

// ResolveEndpoint implements s3.EndpointResolverV2.
func (r *rememberingResolver) ResolveEndpoint(ctx context.Context, params s3.EndpointParameters) (smithyendpoints.Endpoint, error) {
	bucket := aws.ToString(params.Bucket)
	if known, ok := r.known.buckets.Load(bucket); ok {
		return copyEndpoint(known.(smithyendpoints.Endpoint)), nil
	}
	found, err := r.next.ResolveEndpoint(ctx, params)
	if err == nil {
		r.known.buckets.Store(bucket, copyEndpoint(found))
	}
	return found, err
}

// copyEndpoint returns a copy down to what the SDK changes in one that it gets: the options for signing.
func copyEndpoint(e smithyendpoints.Endpoint) smithyendpoints.Endpoint {
	e.Headers, e.Properties = e.Headers.Clone(), copyProperties(&e.Properties)
	if options, ok := auth.GetAuthOptions(&e.Properties); ok {
		copies := make([]*auth.Option, len(options))
		for i, o := range options {
			copies[i] = &auth.Option{
				SchemeID:           o.SchemeID,
				IdentityProperties: copyProperties(&o.IdentityProperties),
				SignerProperties:   copyProperties(&o.SignerProperties),
			}
		}
		auth.SetAuthOptions(&e.Properties, copies)
	}
	return e
}

func copyProperties(p *smithy.Properties) (c smithy.Properties) {
	c.SetAll(p)
	return c
}
