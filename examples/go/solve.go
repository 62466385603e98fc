// Solves one problem and shows its steps as they come: go run solve.go 127.0.0.1:7600 "What is 15 % of 80?"
//
// Make the package ssr of the contract first (in this folder, with protoc and its two plug-ins for Go):
//
//	protoc -I ../../proto --go_out=. --go-grpc_out=. --go_opt=module=example --go-grpc_opt=module=example \
//	  $(for f in reasoning step; do echo --go_opt=Mssr/v1/$f.proto=example/ssr --go-grpc_opt=Mssr/v1/$f.proto=example/ssr; done) \
//	  ssr/v1/reasoning.proto ssr/v1/step.proto
package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"example/ssr"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const attempts = 5

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: solve ADDRESS PROBLEM")
	}
	transport := grpc.WithInsecure()
	if os.Getenv("SSR_TLS") != "" {
		transport = grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{}))
	}
	conn, err := grpc.Dial(os.Args[1], transport) // from grpc-go 1.63 on: grpc.NewClient
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if key := os.Getenv("SSR_API_KEY"); key != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+key)
	}
	job, err := solve(ctx, ssr.NewReasoningServiceClient(conn), &ssr.SolveRequest{
		Problem:        os.Args[2],
		IdempotencyKey: uuid.NewString(), // so that another attempt finds the job, and makes no second one
		Options:        &ssr.Options{Paths: proto.Uint32(3)},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.Status, job.Answer)
}

// solve submits a job, watches it from where a stream broke off, and gets its result.
func solve(ctx context.Context, client ssr.ReasoningServiceClient, request *ssr.SolveRequest) (*ssr.Job, error) {
	var job *ssr.Job
	err := retried(ctx, func() (err error) {
		job, err = client.Submit(ctx, request)
		return err
	})
	if err != nil {
		return nil, err
	}
	cursor := ""
	err = retried(ctx, func() error {
		events, err := client.Watch(ctx, &ssr.WatchRequest{JobId: job.JobId, Cursor: cursor})
		for err == nil {
			var event *ssr.Event
			if event, err = events.Recv(); err == nil {
				cursor = event.Cursor
				if step := event.GetStepCommitted(); step != nil {
					fmt.Printf("path %d: %s\n", step.Path, step.Step.Text)
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return client.Get(ctx, &ssr.GetRequest{JobId: job.JobId})
}

// retried calls again what bears it, after the time that the server says.
func retried(ctx context.Context, call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		code := status.Code(err)
		if attempt == attempts || (code != codes.Unavailable && code != codes.ResourceExhausted) {
			return err
		}
		pause := time.Duration(attempt) * 200 * time.Millisecond
		for _, detail := range status.Convert(err).Details() {
			if info, ok := detail.(*errdetails.RetryInfo); ok {
				delay := info.GetRetryDelay()
				pause = time.Duration(delay.GetSeconds())*time.Second + time.Duration(delay.GetNanos())
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
