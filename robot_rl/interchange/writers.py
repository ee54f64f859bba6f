"""The writer of each format, loaded when it is asked for."""

from robot_rl.interchange.job import Format, Writer


def writer_of(name: Format) -> Writer:
    match name:
        case "lerobot":
            from robot_rl.interchange.lerobot_writer import LeRobotWriter

            return LeRobotWriter()
        case "parquet":
            from robot_rl.interchange.parquet_writer import ParquetWriter

            return ParquetWriter()
        case "mcap":
            from robot_rl.interchange.mcap_writer import McapWriter

            return McapWriter()
        case "rerun":
            from robot_rl.interchange.rerun_writer import RerunWriter

            return RerunWriter()
