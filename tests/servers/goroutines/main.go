// A service with the two usual goroutine leaks among healthy ones, and net/http/pprof.
//
//	main ADDRESS sick|healthy PER_SECOND
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"strconv"
	"time"
)

// ask waits for an answer, but not for long; who answers later sends to nobody.
func ask() {
	answer := make(chan string)
	go func() { answer <- "late" }()
	select {
	case <-answer:
	case <-time.After(time.Nanosecond):
	}
}

// follow starts somebody who works until he is told to stop, and forgets to tell him.
func follow() {
	ctx, cancel := context.WithCancel(context.Background())
	_ = cancel
	go func() { <-ctx.Done() }()
}

// work takes jobs for all its life.
func work(jobs chan func()) {
	for job := range jobs {
		job()
	}
}

func main() {
	// A service that works collects now and then; what waits is noticed by that.
	go func() {
		for range time.Tick(5 * time.Second) {
			runtime.GC()
		}
	}()
	listener, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	go func() { panic(http.Serve(listener, nil)) }()
	jobs := make(chan func())
	for i := 0; i < 50; i++ {
		go work(jobs)
	}
	perSecond, err := strconv.ParseFloat(os.Args[3], 64)
	if err != nil {
		panic(err)
	}
	for range time.Tick(time.Duration(float64(time.Second) / perSecond)) {
		jobs <- func() { time.Sleep(time.Millisecond) }
		if os.Args[2] == "sick" {
			ask()
			follow()
		}
	}
}
