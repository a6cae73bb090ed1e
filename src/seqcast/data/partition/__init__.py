"""Tables of any size, written anew as a folder of Parquet files in which the rows of each series lie together.

In reading order: `sources` (files, their columns, and SQL that reads them), `keys` (ids and times are checked),
`folder` (`partition`: sorted rows become files).
"""

from seqcast.data.partition.folder import Partition, partition

__all__ = ["Partition", "partition"]
