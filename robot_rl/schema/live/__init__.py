"""Live traffic: browser ↔ server ↔ robot. Latest value wins; nothing here is durable.

Sockets (JSON text frames of these models, one model per frame; docs/architecture.md):

- `/api/live/robot`: the robot's link dials in with its token, sends `RobotMessage` and receives
  `RobotCommand`. `/api/live/robot/video`: it sends binary frames (robot_rl.schema.video).
- `/api/live/robots/{robot}`: a client (browser, scripted operator) sends `ClientMessage` and
  receives `ClientUpdate`. `/api/live/robots/{robot}/video`: it receives the binary frames.

The robot is the only authority over its mode and motion: commands are requests, and each one is
answered.
"""
