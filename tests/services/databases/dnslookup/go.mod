module dnslookup

go 1.21
