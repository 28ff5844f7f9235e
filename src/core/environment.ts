/** Variables by name, as in process.env; whoever reads them is given them. */
export type Environment = Readonly<Record<string, string | undefined>>;
