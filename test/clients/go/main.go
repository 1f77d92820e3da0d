// Reads a compressed stream as the official Go client does: it asks by a header, holds the dictionary of v1, and decodes with
// klauspost/compress. Usage: foreign-client URL DICTIONARY EVENTS. Each event is a line on standard output.
package main

import (
	"bufio"
	"log"
	"net/http"
	"os"
	"strconv"

	"github.com/gorilla/websocket"
	"github.com/klauspost/compress/zstd"
)

func main() {
	dictionary, err := os.ReadFile(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderDicts(dictionary))
	if err != nil {
		log.Fatal(err)
	}
	header := http.Header{"Socket-Encoding": []string{"zstd"}}
	connection, _, err := websocket.DefaultDialer.Dial(os.Args[1], header)
	if err != nil {
		log.Fatal(err)
	}
	out := bufio.NewWriter(os.Stdout)
	for at := 0; at < count; at++ {
		kind, message, err := connection.ReadMessage()
		if err != nil {
			log.Fatal(err)
		}
		if kind != websocket.BinaryMessage {
			log.Fatalf("message %d is not binary: %s", at, message)
		}
		event, err := decoder.DecodeAll(message, nil)
		if err != nil {
			log.Fatalf("failed to decompress message: %v", err)
		}
		out.Write(append(event, '\n'))
	}
	out.Flush()
	connection.Close()
}
