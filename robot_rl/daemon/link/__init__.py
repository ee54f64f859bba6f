"""All that goes between the robot PC and the server: durable rows, live sockets, policies."""
