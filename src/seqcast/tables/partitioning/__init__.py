"""Tables of any size, written as a folder of Parquet files in which the rows of each series are contiguous.

In reading order: `duckdb_queries` (files, their columns, and SQL that reads them and checks ids and
times), `folder` (`partition`: sorted rows become files).
"""

from seqcast.tables.partitioning.folder import Partition, partition

__all__ = ["Partition", "partition"]
