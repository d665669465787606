module example.com/switchboard

go 1.25

require google.golang.org/grpc v1.85.0
