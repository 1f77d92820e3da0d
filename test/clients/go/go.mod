module slipstream.test/foreign-client

go 1.22

require (
	github.com/gorilla/websocket v1.5.3
	github.com/klauspost/compress v1.17.11
)
