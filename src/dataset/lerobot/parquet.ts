import type { ColumnSource } from 'hyparquet-writer';
import { missing } from '../invalid.ts';

/** The two Parquet libraries, loaded when they are first wanted. */
export const parquetReader = () =>
  import('hyparquet').catch((error) => {
    throw missing('hyparquet', error);
  });

export const parquetWriter = () =>
  import('hyparquet-writer').catch((error) => {
    throw missing('hyparquet-writer', error);
  });

/** A column of the files that are written here. */
export interface Column {
  readonly name: string;
  readonly type: 'FLOAT' | 'INT64' | 'BOOLEAN' | 'STRING';
  /** each value is a list of these */
  readonly list?: boolean | undefined;
}

/** An element of a Parquet schema, as far as it is needed here. */
interface SchemaElement {
  name: string;
  type?: 'FLOAT' | 'INT64' | 'BOOLEAN' | 'BYTE_ARRAY';
  converted_type?: 'LIST' | 'UTF8';
  logical_type?: { type: 'STRING' } | { type: 'LIST' };
  repetition_type?: 'REQUIRED' | 'OPTIONAL' | 'REPEATED';
  num_children?: number;
}

/** The Parquet schema of columns; lists have the three levels that the specification asks for. */
export function schemaOf(columns: readonly Column[]): SchemaElement[] {
  const leaf = (name: string, { type }: Column): SchemaElement =>
    type === 'STRING'
      ? {
          name,
          type: 'BYTE_ARRAY',
          converted_type: 'UTF8',
          logical_type: { type: 'STRING' },
          repetition_type: 'OPTIONAL',
        }
      : { name, type, repetition_type: 'OPTIONAL' };
  return [
    { name: 'schema', num_children: columns.length },
    ...columns.flatMap((column): SchemaElement[] =>
      column.list
        ? [
            {
              name: column.name,
              repetition_type: 'OPTIONAL',
              converted_type: 'LIST',
              logical_type: { type: 'LIST' },
              num_children: 1,
            },
            { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
            leaf('element', column),
          ]
        : [leaf(column.name, column)],
    ),
  ];
}

/** Writes a file at once. */
export async function writeParquet(
  path: string,
  columns: readonly Column[],
  data: ReadonlyArray<ColumnSource['data']>,
  metadata: Array<{ key: string; value: string }> = [],
): Promise<void> {
  const { parquetWriteFile } = await parquetWriter();
  parquetWriteFile({
    filename: path,
    schema: schemaOf(columns),
    columnData: columns.map(({ name }, index) => ({ name, data: data[index] ?? [] })),
    kvMetadata: metadata,
  });
}
